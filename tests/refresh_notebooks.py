"""Execute notebooks in place, each in a fresh kernel: python tests/refresh_notebooks.py notebooks/*.ipynb"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

for name in sys.argv[1:]:
    path = Path(name)
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    place = {"metadata": {"path": path.parent}}
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=place, coalesce_streams=True
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # time stamps: a refresh without a change must leave no diff
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)
    print(f"{path.name}: {time.perf_counter() - start:.1f} s")

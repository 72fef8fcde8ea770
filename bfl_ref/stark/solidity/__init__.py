"""The evaluators of the AIRs that contracts verify.

python -m bfl_ref.stark.solidity --write     regenerate contracts/src/stark/generated/
python -m bfl_ref.stark.solidity --check     fail if a file there is not what its AIR gives
"""

from .evaluator import evaluators, parameter_word
from .statements import on_chain

__all__ = ["evaluators", "on_chain", "parameter_word"]

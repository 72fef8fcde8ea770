#!/usr/bin/env node
// The Solidity compiler of contracts/node_modules/solc (soljson, WebAssembly) behind the command line of native solc:
//
//   solc.cjs --version
//   solc.cjs --standard-json                        input on stdin: what forge and py-solc-x send
//   solc.cjs --combined-json abi,bin,... FILE...    "-" reads stdin: what slither sends
//
// npm's own `solcjs` does not serve: it prints a line of its own before the JSON, and cuts piped output at 64 kB.
"use strict";
const fs = require("fs");
const path = require("path");

const NODE_MODULES = path.resolve(__dirname, "../../contracts/node_modules");
const VALUE_OPTIONS = ["--base-path", "--include-path", "--allow-paths", "--evm-version", "--optimize-runs"];

// Name in --combined-json -> [output selection of the standard input, value in a contract's standard output].
const OUTPUTS = {
  abi: ["abi", (c) => c.abi],
  asm: ["evm.legacyAssembly", (c) => c.evm.legacyAssembly],
  bin: ["evm.bytecode.object", (c) => c.evm.bytecode.object],
  "bin-runtime": ["evm.deployedBytecode.object", (c) => c.evm.deployedBytecode.object],
  devdoc: ["devdoc", (c) => c.devdoc],
  hashes: ["evm.methodIdentifiers", (c) => c.evm.methodIdentifiers],
  metadata: ["metadata", (c) => c.metadata],
  srcmap: ["evm.bytecode.sourceMap", (c) => c.evm.bytecode.sourceMap],
  "srcmap-runtime": ["evm.deployedBytecode.sourceMap", (c) => c.evm.deployedBytecode.sourceMap],
  userdoc: ["userdoc", (c) => c.userdoc],
};

function write(fd, text) {
  // Node writes to pipes asynchronously, and an exit loses what is pending: write here and now, also to a full pipe.
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(fd, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

function fail(message) {
  write(2, `solc.cjs: ${message}\n`);
  process.exit(1);
}

function loadCompiler() {
  if (!fs.existsSync(path.join(NODE_MODULES, "solc/soljson.js"))) {
    fail("the package solc is not in contracts/node_modules: run `make setup`");
  }
  const wrapper = require(path.join(NODE_MODULES, "solc/wrapper.js"));
  return wrapper(require(path.join(NODE_MODULES, "solc/soljson.js")));
}

function parse(argv) {
  const options = { files: [], remappings: [], roots: [] };
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i];
    if (arg === "--combined-json") options.outputs = argv[++i].split(",");
    else if (arg === "--base-path" || arg === "--include-path") options.roots.push(argv[++i]);
    else if (VALUE_OPTIONS.includes(arg)) options[arg] = argv[++i];
    else if (arg.startsWith("--")) options[arg] = true;
    else if (arg.includes("=")) options.remappings.push(arg);
    else options.files.push(arg);
  }
  return options;
}

function readImport(options) {
  return (name) => {
    for (const root of [".", ...options.roots]) {
      const file = path.resolve(root, name);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: `File not found: ${name}` };
  };
}

function combined(solc, options) {
  const known = options.outputs.filter((name) => name in OUTPUTS);
  const unknown = options.outputs.filter((name) => !(name in OUTPUTS) && name !== "ast");
  if (unknown.length) fail(`--combined-json cannot give ${unknown}; it gives ${Object.keys(OUTPUTS)},ast`);
  const sources = Object.fromEntries(
    options.files.map((f) => [f === "-" ? "<stdin>" : f, { content: fs.readFileSync(f === "-" ? 0 : f, "utf8") }])
  );
  const selection = { "*": known.map((name) => OUTPUTS[name][0]), "": ["ast"] };
  const settings = { remappings: options.remappings, outputSelection: { "*": selection } };
  if (options["--optimize"]) settings.optimizer = { enabled: true, runs: Number(options["--optimize-runs"] ?? 200) };
  if (options["--evm-version"]) settings.evmVersion = options["--evm-version"];
  if (options["--via-ir"]) settings.viaIR = true;
  const input = JSON.stringify({ language: "Solidity", sources, settings });
  const output = JSON.parse(solc.compile(input, { import: readImport(options) }));

  const errors = output.errors ?? [];
  errors.forEach((error) => write(2, error.formattedMessage + "\n"));
  if (errors.some((error) => error.severity === "error")) process.exit(1);
  const result = { contracts: {}, version: solc.version() };
  for (const [file, contracts] of Object.entries(output.contracts ?? {})) {
    for (const [name, contract] of Object.entries(contracts)) {
      result.contracts[`${file}:${name}`] = Object.fromEntries(known.map((key) => [key, OUTPUTS[key][1](contract)]));
    }
  }
  const files = Object.keys(output.sources).sort((a, b) => output.sources[a].id - output.sources[b].id);
  result.sourceList = files;
  if (options.outputs.includes("ast")) {
    result.sources = Object.fromEntries(files.map((file) => [file, { AST: output.sources[file].ast }]));
  }
  return JSON.stringify(result);
}

const options = parse(process.argv.slice(2));
const solc = loadCompiler();
if (options["--version"]) {
  write(1, `solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (options["--standard-json"]) {
  write(1, solc.compile(fs.readFileSync(0, "utf8"), { import: readImport(options) }) + "\n");
} else if (options.outputs) {
  write(1, combined(solc, options) + "\n");
} else {
  fail("expected --version, --standard-json or --combined-json");
}
process.exit(0); // soljson keeps handles open

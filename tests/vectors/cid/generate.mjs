// CIDs by npm's ipfs-unixfs-importer, as known answers for bfl_ref/store: see README.md beside this file.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { importBytes } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import { BlackHoleBlockstore } from "blockstore-core/black-hole";

/** sha256(seed || 0 as 8 bytes little-endian) || sha256(seed || 1) || ... cut to `size` bytes. */
function content(seed, size) {
  const out = Buffer.alloc(size);
  const counter = Buffer.alloc(8);
  for (let i = 0; 32 * i < size; i++) {
    counter.writeBigUInt64LE(BigInt(i));
    createHash("sha256").update(seed).update(counter).digest().copy(out, 32 * i);
  }
  return out;
}

async function cid(bytes, chunkSize, maxLinks) {
  const options = {
    cidVersion: 1,
    rawLeaves: true,
    reduceSingleLeafToSelf: true,
    wrapWithDirectory: false,
    chunker: fixedSize({ chunkSize }),
    layout: balanced({ maxChildrenPerNode: maxLinks }),
  };
  return (await importBytes(bytes, new BlackHoleBlockstore(), options)).cid.toString();
}

const IPFS = [262_144, 174];
const cases = [
  ...[0, 1, 262_144, 262_145, 1_000_000, 174 * 262_144, 174 * 262_144 + 1, 60_000_000].map((size) => [size, ...IPFS]),
  // A tiny layout, so that trees of many levels are covered too: 3 links a node, 5 bytes a chunk.
  ...[5, 6, 15, 16, 45, 46, 135, 136, 400, 406].map((size) => [size, 5, 3]),
];
const vectors = [];
for (const [size, chunkSize, maxLinks] of cases) {
  vectors.push({ size, chunk_size: chunkSize, max_links: maxLinks, cid: await cid(content("bfl_ref cid", size), chunkSize, maxLinks) });
}
writeFileSync("cid.json", JSON.stringify({ seed: "bfl_ref cid", vectors }, null, 1) + "\n");

// Writes cid.json: CIDs of generated contents by npm's ipfs-unixfs-importer 17.1.1 (an implementation that is not ours).
//   npm install ipfs-unixfs-importer@17.1.1 blockstore-core@7, then: node generate.mjs > cid.json
// Byte i of every content is (i * 2654435761 mod 2^32) >> 24; tests/test_store.py makes the same bytes.
import { MemoryBlockstore } from "blockstore-core/memory";
import { importBytes } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";

const content = (length) => Uint8Array.from({ length }, (_, i) => Math.imul(i, 2654435761) >>> 24);
const options = {
  cidVersion: 1,
  rawLeaves: true,
  reduceSingleLeafToSelf: true,
  chunker: fixedSize({ chunkSize: 262144 }),
  layout: balanced({ maxChildrenPerNode: 174 }),
};
const vectors = [];
for (const bytes of [0, 1, 262143, 262144, 262145, 1_000_000, 45_613_056, 60_000_000]) {
  const { cid } = await importBytes(content(bytes), new MemoryBlockstore(), options);
  vectors.push({ bytes, cid: cid.toString() });
}
console.log(JSON.stringify({ generator: "ipfs-unixfs-importer 17.1.1", vectors }, null, 1));

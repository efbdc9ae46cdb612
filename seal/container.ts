/**
 * The file of the method `staged`: a head with the signed session, the sealed records of all chunks by disk and index,
 * the sealed manifest, and an end record that authenticates the file's structure. docs/format.md gives the bytes.
 */
export { containerBytesAtMost } from './container-format.ts';
export { writeContainer } from './container-write.ts';
export type { ContainerInput } from './container-write.ts';
export { readContainer } from './container-read.ts';
export type { ContainerChunk } from './container-open.ts';
export type { Container, ContainerExpectation } from './container-read.ts';

/*
 * node:fs by the door that CommonJS takes. An import of it as an ES module asks it for everything that it exports, and so loads
 * node's streams, promises and readline: an eighth of the time that an `xl` takes to start. process.stdout loads them too.
 */
export const {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} = process.getBuiltinModule('node:fs');

export { finishHold } from './finish.ts';
export { hostEntry } from './host-entry.ts';
export { migrateVm } from './migrate.ts';
export { revertVm } from './revert.ts';
export { scheduledMove } from './scheduled-move.ts';

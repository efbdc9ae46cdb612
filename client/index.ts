export { connect } from './connect.ts';
export { SealiftError, isSealiftError } from '../domain/error.ts';
export type { ErrorType } from '../domain/error-types.ts';
export type {
  AdoptRequest,
  AdoptResult,
  ConnectOptions,
  DeedView,
  HostSummary,
  MigrateRequest,
  MoveHandle,
  MoveProgress,
  MoveSummary,
  PendingStep,
  PlanRequest,
  RevertPlan,
  ScheduleRequest,
  ScheduleSummary,
  Schedules,
  Sealift,
  TaskHandle,
  VmList,
  VmOnHost,
  WatchOptions,
} from './types.ts';
export type { AbortAnswer, FinishResult, RevertResult } from '../workflows/contract.ts';
export type { Plan } from '../workflows/plan.ts';
export type { GarbageRemoval } from './types.ts';
export type { GarbageItem, VmReport } from '../activities/port.ts';
export type { DeedReport } from '../domain/deed-report.ts';
export type { MigrationStatus } from '../domain/migration.ts';
export type { Phase, TransferProgress } from '../domain/progress.ts';
export type { Receipt } from '../domain/receipt.ts';
export type { Concern, HostCard, VmSummary } from '../domain/survey.ts';

import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { MigrationStatus } from '../domain/migration.ts';
import type { Updates } from './contract.ts';

export const statusQuery = defineQuery<MigrationStatus>('status');

export const pauseUpdate = defineUpdate<Updates['pause']['answer']>('pause');
export const resumeUpdate = defineUpdate<Updates['resume']['answer']>('resume');
export const throttleUpdate = defineUpdate<Updates['throttle']['answer'], Updates['throttle']['ask']>('throttle');
export const approveUpdate = defineUpdate<Updates['approve']['answer'], Updates['approve']['ask']>('approve');
export const waitUpdate = defineUpdate<Updates['wait']['answer'], Updates['wait']['ask']>('wait');
export const destroyUpdate = defineUpdate<Updates['destroy']['answer'], Updates['destroy']['ask']>('destroy');
export const abortUpdate = defineUpdate<Updates['abort']['answer']>('abort');
export const leaveUpdate = defineUpdate<Updates['leave']['answer']>('leave');

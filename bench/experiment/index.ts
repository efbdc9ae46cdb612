export { resultsFile } from './results.ts';
export { Forecast } from './forecast.ts';
export { readPlan } from './plan.ts';
export type { Plan, Point } from './plan.ts';
export { runExperiment } from './run.ts';
export type { Told } from './run.ts';
export { writeReport } from './report/report.ts';

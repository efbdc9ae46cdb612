import { payloadShare } from './lab.ts';
import type { WanLab } from './lab.ts';
import type { Link } from './link.ts';
import { measureLink } from './measure.ts';
import type { FoundLink } from './measure.ts';

/** Measures the line. Throws when it is not what was asked: figures of anything else would mislead. */
export async function checkLink(lab: WanLab, asked: Link, seconds = 2): Promise<FoundLink> {
  const found = await measureLink(lab, seconds);
  const wrong = deviations(asked, found);
  if (wrong.length === 0) return found;
  throw new Error(
    `the emulated line is not what was asked: ${wrong.join('; ')}. Does something else run on this machine?`,
  );
}

/** What of it is not as asked: the median round trip within 1 ms or 2 %, the rate that eight streams find within 3 %, losses as chance has it. */
export function deviations(asked: Link, found: FoundLink): string[] {
  const { roundTripMs = 0, rateMbps = 0, lossPercent = 0 } = asked;
  const wrong: string[] = [];
  if (Math.abs(found.roundTripMs - roundTripMs) > Math.max(1, roundTripMs * 0.02))
    wrong.push(`a round trip of ${found.roundTripMs.toFixed(1)} ms, not ${String(roundTripMs)}`);
  const payloadMbps = rateMbps * payloadShare;
  // Where packets are lost, streams do not fill a line.
  const share = found.eightStreamsMbps / payloadMbps;
  if (rateMbps > 0 && (share > 1.03 || (lossPercent === 0 && share < 0.97)))
    wrong.push(`${found.eightStreamsMbps.toFixed(1)} Mbit/s of payload, not ${payloadMbps.toFixed(1)}`);
  if (Math.abs(found.lossPercent - lossPercent) > lossPercent * 0.3)
    wrong.push(`${found.lossPercent.toFixed(3)} % lost, not ${String(lossPercent)}`);
  return wrong;
}

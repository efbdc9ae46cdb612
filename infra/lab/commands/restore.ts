import { createDomain } from '../create.ts';
import { readConfig } from './create.ts';
import { readGuestConfig } from '../guest-config.ts';
import { errorCode, errorText } from '../guest-disks.ts';
import { parseOptions } from '../options.ts';
import { imageInfo, readImage } from '../saved-image.ts';
import type { XlCall } from '../xl.ts';
import { givenUp, XlFailure } from '../xl-failure.ts';

/** `xl restore [-p] [CONFIG] FILE`: a configuration that is given takes the place of the one in the file. */
export async function restore(call: XlCall): Promise<void> {
  const options = parseOptions('restore', call.args, 'peq', { paused: 'p', quiet: 'q' }, 1);
  const file = options.operands.at(-1) ?? '';
  const given = options.operands.length > 1 ? (options.operands[0] ?? '') : null;
  const read = load(file);
  if (read === null) throw new XlFailure(1, 'File has wrong magic number - corrupt or for a different tool?');
  const { image, whole } = read;
  call.log(`Loading new save file ${file} (new xl fmt info ${imageInfo(image)})`);
  call.log(' Savefile contains xl domain config in JSON format');
  call.log(`Parsing config from ${given ?? '<saved>'}`);
  const config = given === null ? image.config : readGuestConfig(readConfig(given), given);
  const xc = [
    `xc: info: Found x86 ${image.config.type === 'pv' ? 'PV' : 'HVM'} domain from Xen 4.17`,
    'xc: info: Restoring domain',
  ];
  if (!whole) throw new XlFailure(1, ...xc, ...cutShort(call));
  try {
    await createDomain(call.places, call.state, config, {
      paused: options.count('p') > 0,
      memory: image.memory,
      halfWay: call.halfWay,
    });
  } catch (error) {
    if (!(error instanceof XlFailure)) throw error;
    throw new XlFailure(1, ...error.lines);
  }
  for (const line of [
    ...xc,
    'xc: info: Restore successful',
    'xc: info: XenStore: mfn 0x3fcec, dom 0, evt 1',
    'xc: info: Console: mfn 0x3fceb, dom 0, evt 2',
  ])
    call.log(line);
}

function load(file: string): ReturnType<typeof readImage> {
  try {
    return readImage(file);
  } catch (error) {
    const code = errorCode(error);
    if (code === null) throw error;
    throw new XlFailure(1, `Can't open restore file: ${errorText(code)}`);
  }
}

function cutShort(call: XlCall): string[] {
  const domid = call.state.alone(() => call.state.nextDomid());
  return [
    'xc: error: Failed to read 4202504 bytes of data for record (0x00000001, Page data) (0 = Success): Internal error',
    'xc: error: Restore failed (0 = Success): Internal error',
    'libxl: error: libxl_stream_read.c:850:libxl__xc_domain_restore_done: restoring domain: Success',
    `libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain ${String(domid)}:cannot (re-)build domain: -3`,
    ...givenUp(domid),
  ];
}

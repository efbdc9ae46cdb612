import { parseOptions } from '../options.ts';
import { findDomain } from '../state.ts';
import type { XlCall } from '../xl.ts';
import { XlFailure } from '../xl-failure.ts';

/** `xl domid NAME` */
export function domid(call: XlCall): void {
  const [name = ''] = parseOptions('domid', call.args, '', {}, 1).operands;
  const domain = /^\d+$/.test(name) ? null : findDomain(call.state, name);
  if (domain === null)
    throw new XlFailure(1, `Can't get domid of domain name '${name}', maybe this domain does not exist.`);
  call.out(`${String(domain.domid)}\n`);
}

/** `xl domname DOMID` */
export function domname(call: XlCall): void {
  const [id = ''] = parseOptions('domname', call.args, '', {}, 1).operands;
  if (!/^\d+$/.test(id)) throw new XlFailure(1, 'Invalid domain id.', '');
  const domain = findDomain(call.state, id);
  if (domain === null || domain.phase === 'nameless')
    throw new XlFailure(1, `Can't get domain name of domain id '${id}', maybe this domain does not exist.`);
  call.out(`${domain.name}\n`);
}

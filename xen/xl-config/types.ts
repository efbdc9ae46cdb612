/** A value of xl.cfg(5): an atom or a list. Numbers stay as they are written: libxl reads any atom as text or number, as it needs. */
export type XlValue = string | XlValue[];

/** One entry of a configuration, in the order of the file. */
export type XlEntry =
  | { kind: 'setting'; key: string; operator: '=' | '+='; value: XlValue; line: number }
  /** A comment's text without its `#`; `trailing` when it stands behind a setting. */
  | { kind: 'comment'; text: string; trailing: boolean; line: number };

/** An xl configuration: every entry of the file, known or not, in order. */
export interface XlConfig {
  /** The file's name, for messages. */
  name: string;
  entries: XlEntry[];
}

/** One disk of xl-disk-configuration(5). */
export interface XlDisk {
  /** xvda, sda, hdc, … */
  vdev: string;
  /** Where it lies in dom0: prefixes taken off, a relative one put under /dev; null for an empty drive. */
  target: string | null;
  format: 'raw' | 'qcow' | 'qcow2' | 'vhd' | 'qed' | 'empty';
  /** `w!` is writing with the host's check for sharing turned off. */
  access: 'r' | 'w' | 'w!';
  cdrom: boolean;
  script: string | null;
  backendtype: string | null;
  /** The driver domain, when it is not dom0. */
  backend: string | null;
  /** Every other parameter as it was written: `discard`, `direct-io-safe`, `colo-port=…`, unknown ones. */
  others: string[];
}

/** One vif of xl-network-configuration(5). */
export interface XlVif {
  mac: string | null;
  bridge: string | null;
  script: string | null;
  ip: string | null;
  model: string | null;
  type: string | null;
  vifname: string | null;
  /** The driver domain, when it is not dom0. */
  backend: string | null;
  /** Every other parameter as it was written. */
  others: string[];
}

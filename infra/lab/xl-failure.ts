/** How an `xl` command ends without success: what it prints on stderr, and its exit code. */
export class XlFailure extends Error {
  readonly lines: string[];
  readonly exitCode: number;

  constructor(exitCode: number, ...lines: string[]) {
    super(lines.join('\n'));
    this.exitCode = exitCode;
    this.lines = lines;
  }
}

/** The text for a name that no domain has. */
export function noSuchDomain(name: string): XlFailure {
  return new XlFailure(1, `${name} is an invalid domain identifier (rc=-6)`);
}

/** What libxl prints when it gives up a domain that it could not build, after the lines that say why. */
export function givenUp(domid: number): string[] {
  const domain = `Domain ${String(domid)}`;
  return [
    `libxl: error: libxl_domain.c:1183:libxl__destroy_domid: ${domain}:Non-existant domain`,
    `libxl: error: libxl_domain.c:1137:domain_destroy_callback: ${domain}:Unable to destroy guest`,
    `libxl: error: libxl_domain.c:1064:domain_destroy_cb: ${domain}:Destruction of domain failed`,
  ];
}

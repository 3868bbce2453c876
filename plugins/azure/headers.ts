/**
 * Response headers with both faces that the Azure SDK knows: that of `@azure/core-rest-pipeline`,
 * and the older one that Azure Storage's clients go through.
 *
 * @module
 */

interface Header {
  name: string;
  value: string;
}

/** Headers by name, in any case. */
export class ResponseHeaders implements Iterable<[string, string]> {
  readonly #headers = new Map<string, Header>();

  /** Those of a response. */
  constructor(headers: Iterable<readonly [string, string]>) {
    for (const [name, value] of headers) this.set(name, value);
  }

  /** The value, where there is one. */
  get(name: string): string | undefined {
    return this.#headers.get(name.toLowerCase())?.value;
  }

  /** Whether there is one of this name. */
  has(name: string): boolean {
    return this.#headers.has(name.toLowerCase());
  }

  /** Puts this value in the place of any other. */
  set(name: string, value: string | number | boolean): void {
    this.#headers.set(name.toLowerCase(), { name, value: String(value).trim() });
  }

  /** Takes it away. */
  delete(name: string): void {
    this.#headers.delete(name.toLowerCase());
  }

  /** Names, in lower case unless they are to be kept, and values. */
  toJSON({ preserveCase = false }: { preserveCase?: boolean } = {}): Record<string, string> {
    return Object.fromEntries(
      [...this.#headers].map(([key, { name, value }]) => [preserveCase ? name : key, value]),
    );
  }

  /** Names in lower case, and values. */
  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (const [key, { value }] of this.#headers) yield [key, value];
  }

  /** {@linkcode ResponseHeaders.has}, in the older face. */
  contains(name: string): boolean {
    return this.has(name);
  }

  /** {@linkcode ResponseHeaders.delete}, in the older face: says whether it was there. */
  remove(name: string): boolean {
    return this.#headers.delete(name.toLowerCase());
  }

  /** {@linkcode ResponseHeaders.toJSON}, in the older face. */
  toJson(options: { preserveCase?: boolean } = {}): Record<string, string> {
    return this.toJSON(options);
  }

  /** Names as they came, and values. */
  rawHeaders(): Record<string, string> {
    return this.toJSON({ preserveCase: true });
  }

  /** Copies of the headers. */
  headersArray(): { name: string; value: string }[] {
    return [...this.#headers.values()].map((header) => ({ ...header }));
  }

  /** Names as they came. */
  headerNames(): string[] {
    return this.headersArray().map(({ name }) => name);
  }

  /** Values. */
  headerValues(): string[] {
    return this.headersArray().map(({ value }) => value);
  }

  /** A copy. */
  clone(): ResponseHeaders {
    return new ResponseHeaders(Object.entries(this.rawHeaders()));
  }
}

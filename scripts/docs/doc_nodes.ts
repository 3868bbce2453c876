/**
 * What `deno doc --json` says, as far as pages are made of it.
 *
 * @module
 */

/** A doc comment. */
export interface JsDoc {
  /** Its text before the first tag. */
  readonly doc?: string;
  /** Its tags; of one that isn't known the line is the value. */
  readonly tags?: readonly {
    readonly kind: string;
    readonly name?: string;
    readonly doc?: string;
    readonly value?: string;
  }[];
}

/** Where something is declared. */
export interface Location {
  /** A `file:` URL. */
  readonly filename: string;
  /** From 1. */
  readonly line: number;
  /** From 0. */
  readonly col: number;
}

/** A type; what `value` is depends on `kind`. */
export interface TypeNode {
  readonly kind: string;
  // Narrowed by whoever has looked at `kind`.
  // deno-lint-ignore no-explicit-any
  readonly value: any;
  readonly repr?: string;
}

/** A type parameter. */
export interface TypeParameter {
  readonly name: string;
  readonly constraint?: TypeNode;
  readonly default?: TypeNode;
}

/** A parameter. */
export interface Parameter {
  readonly kind: "assign" | "identifier" | "object" | "rest";
  readonly name?: string;
  readonly optional?: boolean;
  readonly tsType?: TypeNode;
  /** Of one with a default. */
  readonly left?: Parameter;
  /** Of a rest parameter. */
  readonly arg?: Parameter;
}

/** What can be called. */
export interface Callable {
  readonly params: readonly Parameter[];
  readonly returnType?: TypeNode;
  readonly typeParams?: readonly TypeParameter[];
}

/** A property, method or signature of an interface or class. */
export interface Member extends Partial<Callable> {
  readonly name: string;
  readonly kind?: string;
  readonly jsDoc?: JsDoc;
  readonly optional?: boolean;
  readonly readonly?: boolean;
  readonly computed?: boolean;
  readonly isStatic?: boolean;
  readonly accessibility?: "private" | "protected" | "public";
  readonly tsType?: TypeNode;
  /** Of a class's method. */
  readonly functionDef?: Callable;
}

/** The body of a declaration. */
export interface Definition extends Partial<Callable> {
  readonly properties?: readonly Member[];
  readonly methods?: readonly Member[];
  readonly callSignatures?: readonly Member[];
  readonly indexSignatures?: readonly Member[];
  readonly constructors?: readonly Member[];
  readonly extends?: string | readonly TypeNode[];
  readonly implements?: readonly TypeNode[];
  readonly tsType?: TypeNode;
  readonly target?: Location;
}

/** A declaration. */
export interface Declaration {
  readonly kind: "class" | "function" | "interface" | "reference" | "typeAlias" | "variable";
  readonly location: Location;
  readonly jsDoc?: JsDoc;
  readonly def: Definition;
}

/** An export. */
export interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

/** A module. */
export interface DocModule {
  readonly module_doc?: JsDoc;
  readonly symbols: readonly DocSymbol[];
}

/** Modules by URL. */
export interface DocOutput {
  readonly version: number;
  readonly nodes: Readonly<Record<string, DocModule>>;
}

/**
 * Types and signatures as TypeScript writes them. `deno fmt` breaks the lines.
 *
 * @module
 */

import type {
  Callable,
  Definition,
  Member,
  Parameter,
  TypeNode,
  TypeParameter,
} from "./doc_nodes.ts";

/** A type. Throws where there is a kind of type that this doesn't know. */
export function typeText(type: TypeNode | undefined): string {
  if (type === undefined) return "unknown";
  const { kind, value } = type;
  switch (kind) {
    case "keyword":
    case "this":
      return String(type.repr ?? kind);
    case "typeRef":
      return `${value.typeName}${argumentsText(value.typeParams)}`;
    case "literal":
      return literalText(value);
    case "union":
      return value.map((part: TypeNode) => bracketed(part, ["fnOrConstructor", "conditional"]))
        .join(" | ");
    case "intersection":
      return value.map(operandText).join(" & ");
    case "array":
      return `${operandText(value)}[]`;
    case "tuple":
      return `[${value.map(typeText).join(", ")}]`;
    case "typeOperator":
      return `${value.operator} ${operandText(value.tsType)}`;
    case "parenthesized":
      return `(${typeText(value)})`;
    case "typeQuery":
      return `typeof ${value}${argumentsText(value.typeParams)}`;
    case "indexedAccess":
      return `${operandText(value.objType)}[${typeText(value.indexType)}]`;
    case "conditional":
      return `${typeText(value.checkType)} extends ${typeText(value.extendsType)} ? ${
        typeText(value.trueType)
      } : ${typeText(value.falseType)}`;
    case "typePredicate": {
      const asserts = value.asserts ? "asserts " : "";
      const name = value.param.type === "this" ? "this" : value.param.name;
      return `${asserts}${name}${value.type === undefined ? "" : ` is ${typeText(value.type)}`}`;
    }
    case "fnOrConstructor": {
      const call = { ...value, returnType: value.tsType } as Callable;
      return `${value.constructor === true ? "new " : ""}${typeParametersText(call.typeParams)}(${
        parametersText(call.params)
      }) => ${typeText(call.returnType)}`;
    }
    case "typeLiteral":
      return literalBody(value);
    default:
      throw new Error(`There is no text yet for types of kind '${kind}'.`);
  }
}

/** Parameters, without their brackets. */
export function parametersText(parameters: readonly Parameter[]): string {
  return parameters.map((parameter) => parameterText(parameter)).join(", ");
}

/** Type parameters with their brackets; empty where there are none. */
export function typeParametersText(parameters: readonly TypeParameter[] = []): string {
  if (parameters.length === 0) return "";
  const texts = parameters.map(({ name, constraint, default: standard }) =>
    `${name}${constraint === undefined ? "" : ` extends ${typeText(constraint)}`}${
      standard === undefined ? "" : ` = ${typeText(standard)}`
    }`
  );
  return `<${texts.join(", ")}>`;
}

/** What comes after the name of something that is called. */
export function callText(call: Callable): string {
  return `${typeParametersText(call.typeParams)}(${parametersText(call.params)}): ${
    typeText(call.returnType)
  }`;
}

/** A member, without a semicolon. */
export function memberText(member: Member): string {
  const { name, optional, readonly: isReadonly, isStatic, computed, functionDef } = member;
  const call = functionDef ?? (member.params === undefined ? undefined : member as Callable);
  const written = computed ? `[${name}]` : name;
  const text = `${written}${optional ? "?" : ""}`;
  const prefix = `${isStatic ? "static " : ""}${isReadonly ? "readonly " : ""}`;
  if (call !== undefined) return `${prefix}${text}${callText(call)}`;
  return `${prefix}${text}: ${typeText(member.tsType)}`;
}

function parameterText(parameter: Parameter, isOptional = false): string {
  const { kind, name, optional = false, tsType, left, arg } = parameter;
  if (kind === "assign") return parameterText(left!, true);
  if (kind === "rest") return `...${arg?.name ?? "rest"}: ${typeText(tsType ?? arg?.tsType)}`;
  // What is taken apart has no name: it is the options, everywhere in this project.
  const written = kind === "object" ? "options" : name!;
  return `${written}${optional || isOptional ? "?" : ""}: ${typeText(tsType)}`;
}

function argumentsText(types: readonly TypeNode[] | undefined): string {
  return types === undefined || types.length === 0 ? "" : `<${types.map(typeText).join(", ")}>`;
}

/** What stands before `[]` or after an operator. */
function operandText(type: TypeNode): string {
  return bracketed(type, [
    "union",
    "intersection",
    "fnOrConstructor",
    "conditional",
    "typeOperator",
  ]);
}

/** In brackets where it would mean something else without. */
function bracketed(type: TypeNode, kinds: readonly string[]): string {
  return kinds.includes(type.kind) ? `(${typeText(type)})` : typeText(type);
}

function literalText(value: { kind: string; [name: string]: unknown }): string {
  if (value.kind === "string") return JSON.stringify(value.string);
  if (value.kind === "template") {
    const parts = value.tsTypes as readonly TypeNode[];
    const texts = parts.map((part) =>
      part.kind === "literal" ? String(part.repr) : `\${${typeText(part)}}`
    );
    return `\`${texts.join("")}\``;
  }
  return String(value[value.kind]);
}

function literalBody(definition: Definition): string {
  const { properties = [], methods = [], callSignatures = [], indexSignatures = [] } = definition;
  const calls = callSignatures.map((member) => callText(calledAs(member)));
  const indices = indexSignatures.map(indexText);
  const members = [...calls, ...indices, ...[...properties, ...methods].map(memberText)];
  return members.length === 0 ? "object" : `{ ${members.join("; ")} }`;
}

/** A call signature, whose result stands where a property's type does. */
export function calledAs({ params = [], tsType, typeParams }: Member): Callable {
  return {
    params,
    ...(tsType === undefined ? {} : { returnType: tsType }),
    ...(typeParams === undefined ? {} : { typeParams }),
  };
}

/** An index signature. */
export function indexText({ params = [], tsType, readonly: isReadonly }: Member): string {
  return `${isReadonly ? "readonly " : ""}[${parametersText(params)}]: ${typeText(tsType)}`;
}

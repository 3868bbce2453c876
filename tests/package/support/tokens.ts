/**
 * TypeScript as tokens: enough to see what a module imports and names, without what only looks
 * like code in comments, strings and regular expressions.
 *
 * @module
 */

/** A token. */
export interface Token {
  readonly kind: "word" | "number" | "string" | "template" | "regex" | "sign";
  /** Its text; of a string the content between the quotes, of a template its first part. */
  readonly text: string;
  /** How many brackets are open around it. */
  readonly depth: number;
}

const SPACE = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const WORD = /#?[\p{ID_Start}$_][\p{ID_Continue}$]*/uy;
const NUMBER = /\.?\d[\w.]*/y;
const STRING = /"((?:[^"\\\n]|\\[\s\S])*)"|'((?:[^'\\\n]|\\[\s\S])*)'/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
/** A template from its opening, or from the end of a substitution, to the next or to its end. */
const TEMPLATE = /[`}]((?:[^`\\$]|\\[\s\S]|\$(?!\{))*)(`|\$\{)/y;

/** Words after which a slash begins a regular expression, though words are operands otherwise. */
const OPERATORS = new Set(
  "await case delete do else extends in instanceof new of return throw typeof void yield".split(
    " ",
  ),
);

/** The tokens of a module; throws where it can't be read. */
export function tokens(source: string): Token[] {
  const found: Token[] = [];
  // For each open bracket, whether it is the substitution of a template.
  const open: boolean[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  const add = (kind: Token["kind"], text: string) => found.push({ kind, text, depth: open.length });

  while (at < source.length) {
    if (take(SPACE) !== null) continue;
    const character = source[at]!;
    let match: RegExpExecArray | null;
    if ((match = take(WORD)) !== null) add("word", match[0]);
    else if ((match = take(NUMBER)) !== null) add("number", match[0]);
    else if ((match = take(STRING)) !== null) add("string", match[1] ?? match[2] ?? "");
    else if (character === "`" || (character === "}" && open.at(-1) === true)) {
      match = take(TEMPLATE);
      if (match === null) throw new SyntaxError(`A template at ${at} doesn't end.`);
      if (character === "`") add("template", match[1]!);
      else open.pop();
      if (match[2] === "${") open.push(true);
    } else if (
      character === "/" && !isOperand(found.at(-1)) && (match = take(REGEX)) !== null
    ) add("regex", match[0]);
    else {
      if (/[)\]}]/.test(character)) open.pop();
      add("sign", character);
      if (/[([{]/.test(character)) open.push(false);
      at++;
    }
  }
  if (open.length > 0) throw new SyntaxError("A bracket isn't closed.");
  return found;
}

/** Whether an expression may end with it, so that a slash after it divides. */
function isOperand(token: Token | undefined): boolean {
  if (token === undefined) return false;
  if (token.kind === "word") return !OPERATORS.has(token.text);
  return token.kind !== "sign" || /[)\]}]/.test(token.text);
}

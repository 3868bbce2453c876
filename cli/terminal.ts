/**
 * Questions on the terminal.
 *
 * @module
 */

import process from "node:process";

/** What ends a line, and what breaks it off: Enter, Ctrl-D, Ctrl-C. */
const ENTER = ["\r", "\n", "\x04"];
const INTERRUPT = "\x03";
const DELETE = ["\x7f", "\b"];

/** Longest answer, characters. */
const MAX_ANSWER = 1024;

/**
 * The answer to `question`, which is asked on standard error; nothing of it is shown.
 *
 * Rejects where standard input is no terminal, and when the user breaks off.
 */
export async function askSecret(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new Error(
      "The PIN is wanted, and there is no terminal to ask on. Use --pin-source or --pin-env.",
    );
  }
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.resume();
  try {
    return await new Promise((resolve, reject) => {
      let answer = "";
      stdin.on("data", (characters: string) => {
        for (const character of characters) {
          if (ENTER.includes(character)) return resolve(answer);
          if (character === INTERRUPT) return reject(new Error("Broken off."));
          if (DELETE.includes(character)) answer = answer.slice(0, -1);
          else if (answer.length < MAX_ANSWER) answer += character;
        }
      });
      stdin.once("error", reject).once("end", () => reject(new Error("No PIN was given.")));
    });
  } finally {
    stdin.removeAllListeners("data").setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}

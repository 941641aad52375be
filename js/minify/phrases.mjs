// Finds what long texts, such as style sheets, say again and again: runs of words and signs between them.

// What stands for a phrase in a text is a constant's name in a dollar sign and braces.
const REFERENCE = 5;
const DEFINITION = 'ab="",'.length;
const MOST_WORDS = 12;
const TAKEN = "\0";

/** The phrases that are worth a constant, each with the places where it may be taken out; no two places overlap. */
export function phrases(texts) {
  const rest = [...texts];
  const found = [];
  for (let phrase = best(rest); phrase !== null; phrase = best(rest)) {
    const places = [];
    for (const [text, left] of rest.entries()) {
      for (let at = left.indexOf(phrase); at >= 0; at = left.indexOf(phrase, at + phrase.length)) {
        places.push({ text, at });
      }
      rest[text] = left.replaceAll(phrase, TAKEN.repeat(phrase.length));
    }
    found.push({ phrase, places });
  }
  return found;
}

function best(texts) {
  const counts = new Map();
  for (const phrase of texts.flatMap(runs)) counts.set(phrase, (counts.get(phrase) ?? 0) + 1);
  let [most, chosen] = [0, null];
  for (const [phrase, count] of counts) {
    const saved = (count - 1) * phrase.length - count * REFERENCE - DEFINITION;
    if (saved > most) [most, chosen] = [saved, phrase];
  }
  return chosen;
}

function runs(text) {
  const words = text.match(/[\w-]+|[^\w-]/g) ?? [];
  return words.flatMap((_, first) => {
    const found = [];
    let run = "";
    for (const word of words.slice(first, first + MOST_WORDS)) {
      if (word === TAKEN) break;
      run += word;
      if (run.length > REFERENCE) found.push(run);
    }
    return found;
  });
}

/** The word that was probably meant, if there is one. Dashes and capitals do not count: `block-size` is `blockSize`. */
export function closestWord (word: string, words: readonly string[]): string | undefined {
  const distances = words.map(each => ({ each, distance: editDistance(plain(word), plain(each)) }))
  const [best] = distances.sort((one, other) => one.distance - other.distance)
  // More than a third of it wrong is another word.
  return best !== undefined && best.distance <= Math.ceil(word.length / 3) ? best.each : undefined
}

/** Says what may stand in the place of a word that does not: what was probably meant, or all there is. */
export function suggest (word: string, words: readonly string[]): string {
  const closest = closestWord(word, words)
  if (closest !== undefined) return `did you mean \`${closest}\`?`
  return words.length === 0 ? 'there is none' : `there is ${words.map(each => `\`${each}\``).join(', ')}`
}

function plain (word: string): string {
  return word.replaceAll('-', '').toLowerCase()
}

/** How many letters have to be put in, left out or changed (Levenshtein). */
function editDistance (from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let at = 1; at <= from.length; at++) {
    const next = [at]
    for (let index = 1; index <= to.length; index++) {
      const isSame = from[at - 1] === to[index - 1]
      next.push(Math.min(next[index - 1]! + 1, row[index]! + 1, row[index - 1]! + (isSame ? 0 : 1)))
    }
    row = next
  }
  return row[to.length]!
}

/** How many items two lists share at their starts and, beyond that, at their ends. */
export const commonEnds = (
  before: readonly string[],
  after: readonly string[],
): [head: number, tail: number] => {
  const shorter = Math.min(before.length, after.length)
  let head = 0
  while (head < shorter && before[head] === after[head]) head += 1
  let tail = 0
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail])
    tail += 1
  return [head, tail]
}

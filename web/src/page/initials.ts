/** "Anonymous Otter" -> "AO", "ana" -> "A". By code points, so that no emoji is cut in half. */
export const initials = (name: string): string => {
  const words = name.trim().split(/\s+/)
  const first = (word: string | undefined): string => Array.from(word ?? '')[0]?.toUpperCase() ?? ''
  return words.length > 1 ? first(words[0]) + first(words.at(-1)) : first(words[0]) || '?'
}

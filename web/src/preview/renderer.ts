// Renders the reading view's text in a thread of its own: 1 MB takes 0.2 s, which every key typed beside it would wait for.
import { renderBlocks } from './markdown'
import { commonEnds } from './patch'

/** What differs from the blocks that were told before: all but the first `head` and the last `tail` of them. */
export interface Patch {
  head: number
  tail: number
  fresh: string[]
}

let blocks: string[] = []

addEventListener('message', ({ data }: MessageEvent<string>) => {
  const next = renderBlocks(data)
  const [head, tail] = commonEnds(blocks, next)
  blocks = next
  postMessage({ head, tail, fresh: next.slice(head, next.length - tail) } satisfies Patch)
})

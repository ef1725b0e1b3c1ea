// A script that appends over REST, so many times a second.
import http from 'node:http'
import { now, Times } from './meter.mjs'
import { sleep } from './waiting.mjs'

const EDIT = JSON.stringify({ edits: [{ op: 'append', text: 'One more word. ' }] })
const HEADERS = { 'Content-Type': 'application/json', 'Content-Length': EDIT.length }

/** The status of one PATCH, once its answer is read. */
const append = (url, agent) =>
  new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'PATCH', agent, headers: HEADERS }, answer => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode))
    })
    request.on('error', reject)
    request.end(EDIT)
  })

/** Appends at a steady rate; milliseconds from when each was due to the end of its answer. */
export const appends = async ({ url, rate, seconds }) => {
  const agent = new http.Agent({ keepAlive: true })
  const times = new Times()
  const statuses = {}
  const start = now()
  const sent = Array.from({ length: Math.round(rate * seconds) }, async (_, i) => {
    const due = start + (i * 1000) / rate
    await sleep(due - now())
    const status = await append(url, agent)
    times.add(now() - due)
    statuses[status] = (statuses[status] ?? 0) + 1
  })
  await Promise.all(sent)
  agent.destroy()
  return { statuses, ...times.summary() }
}

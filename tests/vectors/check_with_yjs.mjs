// Runs the vectors that concern a browser alone (undo, relative positions, a client's own awareness) on the installed
// yjs and y-protocols, and writes what came out otherwise as a JSON list. Usage: node check_with_yjs.mjs DATA_FOLDER

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

const require = createRequire(new URL('../../web/package.json', import.meta.url))
const Y = require('yjs')
const protocol = require('y-protocols/awareness')

const folder = process.argv[2]
const vectors = name => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')).vectors
const bytes = text => new Uint8Array(Buffer.from(text, 'base64'))
const base64 = data => Buffer.from(data).toString('base64')

const problems = []
let checked = 0

function expect(id, what, found, wanted) {
  checked += 1
  if (!isDeepStrictEqual(found, wanted)) problems.push({ id, what, found, wanted })
}

function makeEdits(text, edits) {
  for (const { op, index, length, text: inserted, attributes } of edits) {
    if (op === 'insert') text.insert(index, inserted, attributes)
    else if (op === 'delete') text.delete(index, length)
    else if (op === 'format') text.format(index, length, attributes)
    else throw new Error(`an edit of kind ${op}`)
  }
}

function checkUndo({ id, root, client_id, capture_timeout_ms, tracked_origin, base_update_b64, steps }) {
  const doc = new Y.Doc()
  const text = doc.getText(root)
  Y.applyUpdate(doc, bytes(base_update_b64))
  // Some bases were typed by the same client; Yjs would take another id if an update under its own came in now.
  doc.clientID = client_id
  const manager = new Y.UndoManager(text, {
    captureTimeout: capture_timeout_ms,
    trackedOrigins: new Set([tracked_origin]),
  })
  let updates = []
  doc.on('update', update => updates.push(base64(update)))
  const actions = {
    undo: () => manager.undo(),
    redo: () => manager.redo(),
    stop: () => manager.stopCapturing(),
    clear: () => manager.clear(),
  }
  steps.forEach((step, at) => {
    updates = []
    if (step.edit) doc.transact(() => makeEdits(text, step.edit), step.origin)
    else actions[step.action]()
    const depths = [manager.undoStack.length, manager.redoStack.length]
    expect(id, `text after step ${at}`, text.toString(), step.text)
    expect(id, `depths after step ${at}`, depths, [step.undo_depth, step.redo_depth])
    expect(id, `updates of step ${at}`, updates, step.updates_b64 ?? [])
  })
}

function checkPositions({ id, root, nested, update_b64, text: wanted, positions, edits }) {
  const doc = new Y.Doc()
  const text = nested ? null : doc.getText(root)
  if (nested) doc.getMap(nested[0])
  Y.applyUpdate(doc, bytes(update_b64))
  const type = text ?? doc.getMap(nested[0]).get(nested[1])
  expect(id, 'text', type.toString(), wanted)
  const made = positions.map(({ index, assoc }) => Y.createRelativePositionFromTypeIndex(type, index, assoc))
  positions.forEach((position, at) => {
    expect(id, `bytes of position ${at}`, base64(Y.encodeRelativePosition(made[at])), position.encoded_b64)
    const read = Y.createAbsolutePositionFromRelativePosition(
      Y.decodeRelativePosition(bytes(position.encoded_b64)),
      doc,
    )
    expect(id, `index of position ${at}`, read.index, position.index)
  })
  edits.forEach(({ update_b64: update }, after) => {
    Y.applyUpdate(doc, bytes(update))
    positions.forEach((position, at) => {
      const now = Y.createAbsolutePositionFromRelativePosition(
        Y.createRelativePositionFromJSON(position.json),
        doc,
      )
      expect(id, `position ${at} after edit ${after}`, now.index, position.index_after_edit[after])
    })
  })
}

function checkAwareness({ id, receiver_client_id, script }) {
  const doc = new Y.Doc()
  doc.clientID = receiver_client_id
  const awareness = new protocol.Awareness(doc)
  script.forEach((step, at) => {
    if (step.apply_b64 !== undefined)
      protocol.applyAwarenessUpdate(awareness, bytes(step.apply_b64), 'remote')
    else if (step.remove !== undefined) protocol.removeAwarenessStates(awareness, step.remove, 'removed')
    else if (step.set_local !== undefined) awareness.setLocalState(step.set_local)
    else awareness.setLocalStateField(...step.set_local_field)
    const states = Object.fromEntries(awareness.getStates())
    const clocks = Object.fromEntries([...awareness.meta].map(([client, { clock }]) => [client, clock]))
    expect(id, `states after step ${at}`, states, step.states)
    expect(id, `clocks after step ${at}`, clocks, step.clocks)
  })
  awareness.destroy()
  doc.destroy()
}

function checkMalformedPosition({ id, bytes_b64, yjs }) {
  let found = 'accepted'
  try {
    Y.decodeRelativePosition(bytes(bytes_b64))
  } catch {
    found = 'error'
  }
  expect(id, 'decoding', found, yjs)
}

vectors('undo').forEach(checkUndo)
vectors('relative-positions').forEach(checkPositions)
vectors('awareness')
  .filter(({ script }) => script)
  .forEach(checkAwareness)
vectors('malformed')
  .filter(({ layer }) => layer === 'relative_position')
  .forEach(checkMalformedPosition)
process.stdout.write(JSON.stringify({ checked, problems }))

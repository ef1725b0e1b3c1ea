import type { JSX, RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { api, type Me, told } from '../api'
import { Avatar } from './avatar'
import { Dialog } from './dialog'
import { colourAt, palette } from './palette'
import { me, meOpen } from './self'
import { say } from './toasts'

const Colours = ({ chosen, choose }: { chosen: number; choose: (index: number) => void }): JSX.Element => (
  <fieldset class="swatches">
    <legend>Your colour</legend>
    {palette.map((colour, index) => (
      <label class="swatch" key={colour.name} style={{ background: colour.hex }} title={colour.name}>
        <input
          type="radio"
          name="colour"
          aria-label={colour.name}
          checked={index === chosen}
          onChange={() => choose(index)}
        />
      </label>
    ))}
  </fieldset>
)

interface NameFieldProps {
  name: string
  change: (name: string) => void
  field: RefObject<HTMLInputElement | null>
}

const NameField = ({ name, change, field }: NameFieldProps): JSX.Element => (
  <label class="grow">
    <span class="unseen">Your name</span>
    <input
      class="field"
      ref={field}
      value={name}
      maxLength={40}
      required
      autocomplete="nickname"
      onInput={event => change(event.currentTarget.value)}
    />
  </label>
)

/** The sheet to change one's own name and colour; others see the change at once. */
const MeSheet = ({ self, onClose }: { self: Me; onClose: () => void }): JSX.Element => {
  const [name, setName] = useState(self.name)
  const [colour, setColour] = useState(self.colour)
  const [problem, setProblem] = useState('')
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.select(), [])
  const save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    try {
      me.value = await api.changeMe({ name: name.trim(), colour })
      onClose()
      say('Your name and colour are saved')
    } catch (error) {
      setProblem(told(error))
    }
  }
  return (
    <Dialog title="How others see you" onClose={onClose}>
      <form class="sheet-form" onSubmit={save}>
        <div class="preview-line">
          <Avatar name={name} hex={colourAt(colour).hex} />
          <NameField name={name} change={setName} field={field} />
        </div>
        <Colours chosen={colour} choose={setColour} />
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="sheet-foot">
          <button class="button" type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="button filled" type="submit" disabled={!name.trim()}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  )
}

/** The open sheet. */
export const OpenMeSheet = (): JSX.Element | null =>
  me.value && <MeSheet self={me.value} onClose={() => (meOpen.value = false)} />

# Opens the valve of a bearing in the engine room; the bridge says whether that is enough.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}

inputs:
  bearing: string
  celsius: double

outputs:
  message: {type: string, outputSource: confirm/message}

steps:
  open:
    in: {bearing: bearing}
    out: [valve]
    run:
      class: Operation
      inputs: {bearing: string}
      outputs: {valve: string}
      hints: {caroni:JobType: {name: open-valve}}

  confirm:
    in: {valve: open/valve, celsius: celsius}
    out: [message]
    run:
      class: Operation
      inputs: {valve: string, celsius: double}
      outputs: {message: string}
      hints: {caroni:JobType: {name: confirm}}

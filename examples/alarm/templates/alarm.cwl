# Rings when a level was too high, and only then; otherwise writes a line into the log.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {MultipleInputFeatureRequirement: {}}

inputs:
  levels: double[]
  limit: {type: double, default: 4.5}

outputs:
  peak: {type: double, outputSource: judge/peak}
  message: {type: string, outputSource: [ring/message, note/message], pickValue: the_only_non_null}

steps:
  judge:
    in: {levels: levels, limit: limit}
    out: [peak, is_high, is_calm]
    run:
      class: Operation
      inputs: {levels: "double[]", limit: double}
      outputs: {peak: double, is_high: boolean, is_calm: boolean}
      hints: {caroni:JobType: {name: judge}}

  ring:
    when: $(inputs.is_high)
    in: {is_high: judge/is_high, peak: judge/peak}
    out: [message]
    run:
      class: Operation
      inputs: {peak: double}
      outputs: {message: string}
      hints: {caroni:JobType: {name: ring}}

  note:
    when: $(inputs.is_calm)
    in: {is_calm: judge/is_calm, peak: judge/peak}
    out: [message]
    run:
      class: Operation
      inputs: {peak: double}
      outputs: {message: string}
      hints: {caroni:JobType: {name: note}}

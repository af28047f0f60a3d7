# Calibrates one instrument: a reading at each point, one after the other, and a line through them.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}, MultipleInputFeatureRequirement: {}}

inputs:
  instrument: string
  points: double[]

outputs:
  certificate: {type: string, outputSource: [adjust/certificate, fit/certificate], pickValue: first_non_null}

steps:
  measure:
    scatter: point
    in: {instrument: instrument, point: points}
    out: [reading]
    hints: {caroni:Limit: {parallel: 1}}
    run:
      class: Operation
      inputs: {instrument: string, point: double}
      outputs: {reading: double}
      hints: {caroni:JobType: {name: measure}}

  fit:
    in:
      points: points
      readings: measure/reading
      title: {source: instrument, valueFrom: "$(self), by $(inputs.points.length) points"}
    out: [line, is_off, certificate]
    run:
      class: Operation
      inputs: {points: "double[]", readings: "double[]", title: string}
      outputs:
        line: {type: {type: record, fields: {gain: double, offset: double}}}
        is_off: boolean
        certificate: string
      hints: {caroni:JobType: {name: fit}}

  adjust:
    when: $(inputs.is_off)
    in:
      is_off: fit/is_off
      instrument: instrument
      gain: {source: fit/line, valueFrom: $(self.gain)}
      offset: {source: fit/line, valueFrom: $(self.offset)}
    out: [certificate]
    run:
      class: Operation
      inputs: {instrument: string, gain: double, offset: double}
      outputs: {certificate: string}
      hints: {caroni:JobType: {name: adjust}}

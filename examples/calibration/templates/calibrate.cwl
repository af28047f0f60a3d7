# Calibrates instruments, each by a workflow of its own.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}}

inputs:
  instruments: string[]
  points: {type: "double[]", default: [0, 25, 50, 75, 100]}

outputs:
  certificates: {type: "string[]", outputSource: calibrate/certificate}

steps:
  calibrate:
    run: instrument.cwl
    scatter: instrument
    in: {instrument: instruments, points: points}
    out: [certificate]

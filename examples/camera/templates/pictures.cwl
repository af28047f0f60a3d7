# Takes a picture with each exposure.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}

inputs:
  exposures: double[]

outputs:
  pictures: {type: "string[]", outputSource: snap/picture}

steps:
  snap:
    scatter: exposure
    in: {exposure: exposures}
    out: [picture]
    run:
      class: Operation
      inputs: {exposure: double}
      outputs: {picture: string}
      hints: {caroni:JobType: {name: snap}}

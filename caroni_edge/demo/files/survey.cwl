# Measures at each of some places, wherever an agent has a free slot, and names the warmest value. Sondes fail at times.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}

inputs:
  places: string[]

outputs:
  warmest: {type: double, outputSource: warmest/celsius}

steps:
  measure:
    scatter: place
    in: {place: places}
    out: [celsius]
    run:
      class: Operation
      inputs: {place: string}
      outputs: {celsius: double}
      hints: {caroni:JobType: {name: measure}}

  warmest:
    in: {measured: measure/celsius}
    out: [celsius]
    run:
      class: Operation
      inputs: {measured: "double[]"}
      outputs: {celsius: double}
      hints: {caroni:JobType: {name: warmest}}

# Takes a sample on each of some ships, at a depth, and names the warmest water. What runs on which ship, an input says.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}

inputs:
  ships: string[]
  depth: {type: int, default: 10}

outputs:
  celsius: {type: "double[]", outputSource: sample/celsius}
  result: {type: string, outputSource: warmest/result}

steps:
  sample:
    scatter: ship
    in: {ship: ships, depth: depth}
    out: [celsius]
    hints: {caroni:JobType: {name: sample, agent: $(inputs.ship)}}
    run:
      class: Operation
      inputs: {depth: int}
      outputs: {celsius: double}

  warmest:
    in: {ships: ships, celsius: sample/celsius}
    out: [result]
    hints: {caroni:JobType: {name: warmest, agent: shore}}
    run:
      class: Operation
      inputs: {ships: "string[]", celsius: "double[]"}
      outputs: {result: string}

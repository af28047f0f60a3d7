cwlVersion: v1.2
$graph:
  - class: Workflow
    id: main
    requirements: {SubworkflowFeatureRequirement: {}, ScatterFeatureRequirement: {}}
    inputs: {names: "string[]"}
    outputs: {all: {type: {type: array, items: File}, outputSource: each/said}}
    steps:
      each: {in: {name: names}, scatter: name, out: [said], run: "#greet"}
  - class: Workflow
    id: greet
    inputs: {name: string}
    outputs: {said: {type: File, outputSource: echo/said}}
    steps:
      echo: {in: {message: name}, out: [said], run: "#echo"}
  - class: CommandLineTool
    id: echo
    inputs: {message: {type: string, inputBinding: {}}}
    outputs: {said: stdout}
    baseCommand: echo
    stdout: said.txt

#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: echo
label: Echo
doc: |
  Says what it is given.
requirements:
  - class: InlineJavascriptRequirement
  - class: ShellCommandRequirement
hints:
  DockerRequirement: {dockerPull: "debian:stable-slim"}
  ResourceRequirement: {coresMin: 1, ramMin: 128}
baseCommand: [echo]
arguments: [{valueFrom: -n, position: 0}]
inputs:
  - id: message
    type: string
    inputBinding: {position: 1, prefix: --message, separate: false}
  - id: times
    type: int?
    default: 2
    inputBinding: {}
outputs:
  - {id: said, type: stdout}
  - {id: log, type: "File?", outputBinding: {glob: "*.log"}, secondaryFiles: [.idx]}
stdout: said.txt
successCodes: [0]

cwlVersion: v1.2
class: Workflow
inputs: {a: "int[]"}
outputs: {said: {type: File, outputSource: s/said}}
steps: {s: {in: {message: a}, out: [said], run: ../good/tools/echo.cwl}}

cwlVersion: v1.2
class: Workflow
inputs: {a: int}
outputs: {}
steps: {s: {in: {times: a}, out: [said], run: ../good/tools/echo.cwl}}

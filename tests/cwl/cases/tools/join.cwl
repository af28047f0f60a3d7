cwlVersion: v1.2
class: CommandLineTool
$namespaces: {caroni: "urn:caroni:cwl#"}
hints: {caroni:JobType: {name: join}}
baseCommand: [work.py, join]
arguments: [inputs=$(inputs)]
inputs: {a: "Any?", b: "Any?", c: "Any?"}
outputs: {out: string}

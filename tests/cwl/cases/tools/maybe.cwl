cwlVersion: v1.2
class: CommandLineTool
$namespaces: {caroni: "urn:caroni:cwl#"}
hints: {caroni:JobType: {name: maybe}}
baseCommand: [work.py, maybe]
arguments: [inputs=$(inputs)]
inputs: {text: string}
outputs: {out: "string?"}

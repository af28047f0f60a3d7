cwlVersion: v1.2
class: CommandLineTool
$namespaces: {caroni: "urn:caroni:cwl#"}
hints: {caroni:JobType: {name: measure}}
baseCommand: [work.py, measure]
arguments: [inputs=$(inputs)]
inputs: {text: string}
outputs: {size: int, even: boolean, fact: {type: {type: record, fields: {text: string, sizes: "int[]"}}}}

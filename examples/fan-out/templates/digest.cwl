# Digests files wherever they are: an instance of the step `digest` for each URL, twenty at a time, over all agents.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}

inputs:
  urls: string[]

outputs:
  files:
    type: {type: array, items: {type: record, fields: {name: string, sha256: string}}}
    outputSource: digest/file
  bytes: {type: long, outputSource: add/sum}

steps:
  digest:
    scatter: url
    in: {url: urls}
    out: [file, bytes]
    hints: {caroni:Limit: {parallel: 20}}
    run:
      class: Operation
      inputs: {url: string}
      outputs:
        file: {type: {type: record, fields: {name: string, sha256: string}}}
        bytes: long
      hints: {caroni:JobType: {name: digest}}

  add:
    in: {numbers: digest/bytes}
    out: [sum]
    run:
      class: Operation
      inputs: {numbers: "long[]"}
      outputs: {sum: long}
      hints: {caroni:JobType: {name: add}}

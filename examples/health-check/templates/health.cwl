# Looks at the hosts of a fleet, tidies up on those whose disk is full, and reports.
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}}
hints: {caroni:Limit: {parallel: 50}}

inputs:
  hosts: string[]

outputs:
  full: {type: "boolean[]", outputSource: check/is_full}
  tidied: {type: "string[]", outputSource: tidy/done, pickValue: all_non_null}

steps:
  check:
    scatter: host
    in: {host: hosts}
    out: [is_full]
    hints: {caroni:JobType: {name: check, agent: $(inputs.host)}}
    run:
      class: Operation
      inputs: {}
      outputs: {is_full: boolean}

  tidy:
    scatter: [host, is_full]
    scatterMethod: dotproduct
    when: $(inputs.is_full)
    in: {host: hosts, is_full: check/is_full}
    out: [done]
    hints: {caroni:JobType: {name: tidy, agent: $(inputs.host)}}
    run:
      class: Operation
      inputs: {host: string}
      outputs: {done: string}

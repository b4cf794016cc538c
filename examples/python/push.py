"""An operator's software: pushes its follow-up records, and again after a failure.

    NONRECOURS_TOKEN=... python push.py 127.0.0.1:50052 operators/.../conventions/... records.json

Exit code: 0 when all is stored, 1 when some records were rejected, 2 when the push could not be ended.
"""

import json
import os
import sys
import time
from collections import Counter

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from nonrecours.followup.v1 import push_pb2, push_pb2_grpc

BATCH = 20  # records; the service takes up to 1000 at once
DEADLINE = 60  # seconds for one stream
ATTEMPTS = 5
FIRST_PAUSE = 0.5  # seconds, doubled after each failure
# Sending records again is harmless, so everything that may pass is tried again.
MAY_PASS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


def push(service, token, convention, batches):
    """Opens a stream for the convention and sends the batches; yields one answer a batch, once it is durable."""

    def messages():
        yield push_pb2.PushRecordsRequest(opening={"convention": convention})
        for sequence, records in enumerate(batches, start=1):
            yield push_pb2.PushRecordsRequest(batch={"sequence": sequence, "records": records})

    return service.PushRecords(messages(), metadata=[("authorization", f"Bearer {token}")], timeout=DEADLINE)


def outcome(result):
    return push_pb2.RecordOutcome.Name(result.outcome).removeprefix("RECORD_OUTCOME_")


def show(answer):
    """Prints what became of each record; for a rejected one, the sentence that says what to correct."""
    for result in answer.results:
        print(f"  {result.external_reference:10} {outcome(result)}")
        for violation in result.violations:
            print(f"    {violation.field} : {violation.message_fr} ({violation.reason})")


def sentence(error):
    """The French sentence of a refusal; for a failure on the way, what gRPC says of it."""
    status = rpc_status.from_call(error)
    message = error_details_pb2.LocalizedMessage()
    for detail in status.details if status else []:
        if detail.Unpack(message):
            return message.message
    return error.details()


def main(address, convention, path):
    with open(path, encoding="utf-8") as file:
        records = [json_format.ParseDict(record, push_pb2.Record()) for record in json.load(file)["records"]]
    batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
    answers, pause = [], FIRST_PAUSE
    with grpc.insecure_channel(address) as channel:
        service = push_pb2_grpc.PushServiceStub(channel)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                # A new stream goes on with the first batch that was not answered.
                for answer in push(service, os.environ["NONRECOURS_TOKEN"], convention, batches[len(answers) :]):
                    show(answer)
                    answers.append(answer)
                break
            except grpc.RpcError as error:
                print(f"{error.code().name} : {sentence(error)}", file=sys.stderr)
                if error.code() not in MAY_PASS or attempt == ATTEMPTS:
                    return 2
                time.sleep(pause)
                pause *= 2
    totals = Counter(outcome(result) for answer in answers for result in answer.results)
    print(", ".join(f"{count} {name}" for name, count in totals.items()))
    return 1 if totals["REJECTED"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""What schemathesis checks beside its own list; loaded by it (SCHEMATHESIS_HOOKS), not by the cases."""

import schemathesis

# The errors of this range that are answers: what a store cannot do (501), the short deadline of these very requests (504),
# and a quota that one of them has set (507).
DELIBERATE = {501: "not_supported", 504: "deadline_exceeded", 507: "quota_exceeded"}


@schemathesis.check
def no_failure_of_the_server(ctx, response, case):
    del ctx, case
    if response.status_code < 500:
        return
    try:
        code = response.json().get("code")
    except ValueError:
        code = None
    assert code is not None and DELIBERATE.get(response.status_code) == code, (
        f"{response.status_code} {code}: {response.text[:300]}")

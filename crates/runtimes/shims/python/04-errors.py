# Errors as the protocol has them.


def describe(error, reason=None):
    """An error as the protocol has it, whatever was raised."""
    try:
        message = str(error)
        if isinstance(error, SystemExit):
            message = f"the handler called sys.exit({error.code!r})"
        elif type(error).__name__ == "CancelledError":
            texts = {"timeout": "the function ran out of time", "client_gone": "the client is gone"}
            message = texts.get(reason, "the call was cancelled")
        told = {
            "message": message[:STACK_MAX] or type(error).__name__,
            "type": type(error).__name__,
            "stack": stack_of(error),
        }
        if getattr(error, "retry", None) is False:
            told["retry"] = False
        after = getattr(error, "retry_after", getattr(error, "retryAfter", None))
        if isinstance(after, (int, float)) and after >= 0:
            told["retryAfterMs"] = round(after * 1000)
        return told
    except Exception:
        return {
            "message": "the handler raised an error that cannot be described",
            "type": type(error).__name__,
        }


def stack_of(error):
    """The traceback without the lines of this file and of the import machinery."""
    import traceback

    def strip(told, depth=0):
        if told is None or depth > 5:
            return
        frames = [f for f in told.stack if f.filename != __file__ and "importlib" not in f.filename]
        told.stack = traceback.StackSummary.from_list(frames)
        strip(told.__cause__, depth + 1)
        strip(told.__context__, depth + 1)

    told = traceback.TracebackException.from_exception(error)
    strip(told)
    return "".join(told.format())[-STACK_MAX:].rstrip()

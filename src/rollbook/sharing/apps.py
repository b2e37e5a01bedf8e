from django.apps import AppConfig


class SharingConfig(AppConfig):
    name = "rollbook.sharing"
    label = "sharing"

    def ready(self) -> None:
        from rollbook.identity import sign_ins_ended
        from rollbook.roster import roster_changed
        from rollbook.sharing.actions.duties import look_again
        from rollbook.sharing.actions.sign_on import end_with
        from rollbook.sharing.actions.webhooks import tell
        from rollbook.sharing.connectors import duties, webhooks  # noqa: F401  # registers their jobs
        from rollbook.sharing.queries import reach  # noqa: F401  # registers the relationship "shared"

        roster_changed.connect(lambda tenant, **_: tell(tenant), weak=False, dispatch_uid="webhooks")
        roster_changed.connect(lambda tenant, **_: look_again(tenant), weak=False, dispatch_uid="duties")
        sign_ins_ended.connect(
            lambda handles, accounts, **_: end_with(handles, accounts), weak=False, dispatch_uid="sign-ins"
        )

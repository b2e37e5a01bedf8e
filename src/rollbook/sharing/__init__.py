"""Sharing: third-party apps, the agreements they stand on, the school's live rules, and the doors they read through."""

from typing import TYPE_CHECKING

from rollbook.kernel.doors import front_door

if TYPE_CHECKING:
    from rollbook.sharing.actions import agree as agree
    from rollbook.sharing.actions import ask_field as ask_field
    from rollbook.sharing.actions import create_app as create_app
    from rollbook.sharing.actions import renew_token as renew_token
    from rollbook.sharing.actions import share as share
    from rollbook.sharing.actions import state_of as state_of
    from rollbook.sharing.actions import stop as stop
    from rollbook.sharing.actions.developers import create_sandbox_app as create_sandbox_app
    from rollbook.sharing.actions.directories import change_settings as change_directory
    from rollbook.sharing.actions.directories import create_directory as create_directory
    from rollbook.sharing.actions.duties import find_duties as find_duties
    from rollbook.sharing.actions.duties import look_everywhere as look_for_duties
    from rollbook.sharing.actions.renewal import renew_secret as renew_secret
    from rollbook.sharing.actions.sign_on import set_sign_on as set_sign_on
    from rollbook.sharing.jobs import plan_directory as plan_directory
    from rollbook.sharing.jobs import plan_undo as plan_directory_undo
    from rollbook.sharing.jobs import push_directory as push_directory
    from rollbook.sharing.jobs import renew_passwords as renew_directory_passwords
    from rollbook.sharing.models import App as App
    from rollbook.sharing.models import Directory as Directory
    from rollbook.sharing.models import Push as Push
    from rollbook.sharing.queries.directories import all_steps as plan_steps
    from rollbook.sharing.queries.directories import directories_of as directories_of
    from rollbook.sharing.queries.directories import find_directory as find_directory
    from rollbook.sharing.queries.directories import find_push as directory_plan
    from rollbook.sharing.queries.directories import pushes as directory_plans
    from rollbook.sharing.queries.directories import step_of as plan_step
    from rollbook.sharing.queries.duties import owing as apps_owing
    from rollbook.sharing.queries.duties import owing_after_end as owing_after_end
    from rollbook.sharing.queries.facts import app_lines as app_lines
    from rollbook.sharing.queries.grants import apps_getting as apps_getting
    from rollbook.sharing.queries.grants import apps_of as apps_of
    from rollbook.sharing.queries.grants import find_app as find_app
    from rollbook.sharing.queries.sign_on import ours_for as ours_for
    from rollbook.sharing.rules.pushing import differences as plan_differences

__getattr__ = front_door(__name__, __file__)

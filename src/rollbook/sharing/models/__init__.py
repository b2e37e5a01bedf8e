"""The tables of sharing."""

from rollbook.sharing.models.apps import Agreement as Agreement
from rollbook.sharing.models.apps import App as App
from rollbook.sharing.models.apps import FieldRequest as FieldRequest
from rollbook.sharing.models.apps import OldSecret as OldSecret
from rollbook.sharing.models.apps import SharingRule as SharingRule
from rollbook.sharing.models.apps import Token as Token
from rollbook.sharing.models.directories import Directory as Directory
from rollbook.sharing.models.directories import Holding as Holding
from rollbook.sharing.models.directories import Push as Push
from rollbook.sharing.models.directories import PushStep as PushStep
from rollbook.sharing.models.duties import Duty as Duty
from rollbook.sharing.models.duties import Received as Received
from rollbook.sharing.models.feed import Delivery as Delivery
from rollbook.sharing.models.feed import Feed as Feed
from rollbook.sharing.models.feed import Seen as Seen
from rollbook.sharing.models.feed import Step as Step
from rollbook.sharing.models.feed import Webhook as Webhook
from rollbook.sharing.models.library import Addition as Addition
from rollbook.sharing.models.library import Library as Library
from rollbook.sharing.models.scim import ScimGroup as ScimGroup
from rollbook.sharing.models.scim import ScimUser as ScimUser
from rollbook.sharing.models.sign_on import AppKey as AppKey
from rollbook.sharing.models.sign_on import AppSignIn as AppSignIn
from rollbook.sharing.models.sign_on import ChosenLink as ChosenLink
from rollbook.sharing.models.sign_on import SigningKey as SigningKey
from rollbook.sharing.models.sign_on import SignOn as SignOn

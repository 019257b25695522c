"""Constants shared by several packages."""

VERSION = "1.0.0"
COMMAND = "deploy-azure_v1.py"
INSTALLED_COMMAND = "draftgenie-deploy"  # its name when installed as a package
SUCCESS, FAILURE, CHANGES_PENDING, INTERRUPTED = 0, 1, 2, 130  # exit codes
STATE_PREFIX = ".azure-deployment-state"  # begins the name of every file beside the state
STATE_FILE = f"{STATE_PREFIX}-v1.json"
LOG_SUFFIX = ".log"  # what the log of the last run has behind the name of the state's file
EARLIER_STATE_FILE = f"{STATE_PREFIX}.json"
HISTORY_DIRECTORY = ".azure-deployment-history"  # copies of earlier states
STATE_BLOB, STATE_CONTAINER = "azure-deployment-state.json", "deployment-state"  # unless configured
REPORT_MARK = "deploy-azure_v1.py report"  # in the first lines of every report
EMULATOR_DIRECTORY = ".azure-emulator"
# A variable that the deployment adds to a service: a changed secret alone creates no new revision
# (learn.microsoft.com/azure/container-apps/manage-secrets), a changed template does.
SECRETS_VERSION = "SECRETS_VERSION"

"""Settings of topics, changed without a Java tool."""

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType


def set_configs(admin, topic, seconds=60, **settings):
    """Sets `retention_ms="1"` and the like with this AdminClient."""
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for answer in admin.incremental_alter_configs([resource], request_timeout=seconds).values():
        answer.result(seconds)

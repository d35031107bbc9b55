// usage: node kafkajs_client.js FILE.json TOPIC GROUP COUNT: writes COUNT records, reads them back, prints JSON
const fs = require('fs')
const { Kafka, logLevel } = require('kafkajs')

const [file, topic, group, count] = process.argv.slice(2)
const settings = JSON.parse(fs.readFileSync(file))
const kafka = new Kafka({
  clientId: 'kafkajs',
  brokers: [settings.bootstrap],
  ssl: { ca: [fs.readFileSync(settings.ca)] },
  sasl: { mechanism: 'scram-sha-512', username: settings.user, password: settings.password },
  logLevel: logLevel.NOTHING,
  retry: { retries: 3 },
})

async function main() {
  const values = Array.from({ length: Number(count) }, (_, index) => `kafkajs-${index}`)
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: values.map((value) => ({ value })) })
  await producer.disconnect()

  const consumer = kafka.consumer({ groupId: group })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const seen = []
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    setTimeout(() => reject(new Error(`only ${seen.length} records came`)), 30000).unref()
    consumer.run({
      eachMessage: async ({ message }) => {
        seen.push(message.value.toString())
        if (seen.length >= values.length) resolve()
      },
    }).catch(reject)
  })
  await consumer.disconnect()
  console.log(JSON.stringify({ seen }))
}

main().catch((error) => {
  console.log(JSON.stringify({ error: error.type || error.name, message: error.message }))
  process.exit(1)
})
